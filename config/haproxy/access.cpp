// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/access.hpp"

#include "config/network.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace rolegate::config::haproxy
{
namespace
{

using networks = std::vector<network>;

// Each of them once, in the order they came.
class network_set
{
public:
    void add(const networks& more)
    {
        for (const network& n : more)
            if (seen_.emplace(n.address, n.prefix).second)
                all_.push_back(n);
    }

    [[nodiscard]] const networks& all() const { return all_; }

private:
    networks all_;
    std::set<std::pair<std::string, unsigned>> seen_;
};

// Of one section, each as often as it is read or copied: bounds the work, of which a small file can
// ask for much by naming a long list again and again.
constexpr std::size_t most_networks = 4096;
constexpr std::size_t most_copies = 4 * most_networks;

// The words behind `src`; nullopt: a file, or what is no network, or too much of it.
std::optional<networks> parse_source(const std::vector<std::string>& words, std::size_t first)
{
    networks out;
    if (words.size() > most_networks)
        return std::nullopt;
    for (std::size_t i = first; i < words.size(); ++i)
    {
        if (words[i] == "--" || words[i] == "-n")
            continue;
        const parsed_network parsed = parse_network(words[i]);
        if (!parsed.value || words[i] == "unix")
            return std::nullopt;
        out.push_back(*parsed.value);
    }
    if (out.empty())
        return std::nullopt;
    return out;
}

// What a condition says about the client's address.
struct condition
{
    network_set inside;   // the client is in one of these ...
    bool negated = false; // ... or in none of them
};

class judge
{
public:
    explicit judge(const access_rules& access) : access_(access)
    {
        for (const line* acl : access.acls)
        {
            const bool is_ours = acl->word(2) == "src" && copies_ <= most_networks;
            const auto nets = is_ours ? parse_source(acl->words, 3) : std::nullopt;
            if (!nets)
                broken_.insert(acl->word(1));
            else
                add(*nets, by_name_[acl->word(1)]); // of one name any will do
        }
    }

    // nullopt: more than a list of networks can say.
    std::optional<networks> run()
    {
        network_set allow;
        for (const line* rule : access_.rules)
        {
            if (rule->word(1) != "connection") // has a turn of its own, after all that have not
                return std::nullopt;
            if (decided_)
                continue; // never reached
            if (!take(*rule, allow) || copies_ > most_copies)
                return std::nullopt;
        }
        return is_list_ ? allow.all() : networks();
    }

    [[nodiscard]] bool uses(const std::string& acl) const { return used_.contains(acl); }

private:
    void add(const networks& from, network_set& to)
    {
        copies_ += from.size();
        if (copies_ <= most_copies) // else the whole is refused
            to.add(from);
    }

    bool take(const line& rule, network_set& allow)
    {
        const std::string& action = rule.word(2);
        const bool accepts = action == "accept";
        const bool always = rule.words.size() == 3; // without a condition
        if (!accepts && action != "reject")
            return false;
        // Those that `reject if !A` has left are told apart further, unless all of them come in.
        if (is_list_ && !(accepts && always))
            return false;
        decided_ = always;
        is_list_ = is_list_ || !accepts;
        if (always)
            return accepts || !allow.all().empty();
        const auto c = parse_condition(rule);
        if (!c || c->negated == accepts)
            return false;
        add(c->inside.all(), allow);
        return true;
    }

    // A or B: in any of them. !A !B: in none of them.
    std::optional<condition> parse_condition(const line& rule)
    {
        const bool unless = rule.word(3) == "unless";
        if (!unless && rule.word(3) != "if")
            return std::nullopt;
        condition out;
        std::set<bool> signs;
        bool is_or = false;
        bool is_and = false;
        bool expects_or = false;
        for (std::size_t i = 4; i < rule.words.size(); ++i)
        {
            std::string word = rule.words[i];
            if (word == "or" || word == "||")
            {
                is_or = true;
                expects_or = false;
                continue;
            }
            is_and = is_and || expects_or;
            expects_or = true;
            const bool negated = word.starts_with('!');
            if (negated)
                word.erase(0, 1);
            if (negated && word.empty())
                word = rule.word(++i);
            signs.insert(negated);
            if (!take_term(rule, word, i, out.inside))
                return std::nullopt;
        }
        if (signs.size() != 1 || (is_or && is_and))
            return std::nullopt;
        const bool negated = *signs.begin();
        if (negated ? is_or : is_and)
            return std::nullopt;
        out.negated = negated != unless;
        return out;
    }

    // `at` is moved to the term's last word.
    bool take_term(const line& rule, const std::string& word, std::size_t& at, network_set& to)
    {
        if (word != "{")
        {
            const auto found = by_name_.find(word);
            if (found == by_name_.end() || broken_.contains(word))
                return false;
            used_.insert(word);
            add(found->second.all(), to);
            return true;
        }
        std::vector<std::string> inside;
        for (++at; at < rule.words.size() && rule.words[at] != "}"; ++at)
            inside.push_back(rule.words[at]);
        if (inside.empty() || inside.front() != "src")
            return false;
        const auto nets = parse_source(inside, 1);
        if (nets)
            add(*nets, to);
        return nets.has_value();
    }

    const access_rules& access_;
    std::map<std::string, network_set> by_name_;
    std::set<std::string> broken_;
    std::set<std::string> used_;
    std::size_t copies_ = 0;
    bool decided_ = false; // the rules that follow are never reached
    bool is_list_ = false; // what has not been let in is not
};

// Of acls, and whatever else these lines have.
std::set<std::string_view> names_in(const std::vector<const line*>& lines)
{
    std::set<std::string_view> out;
    for (const line* l : lines)
        for (const std::string_view word : l->words)
            out.insert(word.starts_with('!') ? word.substr(1) : word);
    return out;
}

constexpr std::string_view of_refused_rule = "belongs to a rule that is refused";
constexpr std::string_view of_no_rule = "no rule asks for it";

} // namespace

networks allowed_networks(
    const access_rules& access,
    const std::vector<const line*>& others,
    bool is_proxied,
    ledger& book
)
{
    judge j(access);
    auto allow = j.run();
    const bool misses = is_proxied && allow && !allow->empty();
    if (misses)
        allow.reset();
    for (const line* rule : access.rules)
    {
        if (allow)
            book.use(rule->number);
        else
            book.refuse(
                rule->number,
                rule->text(),
                misses ? "looks at who connects, `allow` at whom the PROXY header names"
                       : "says more than `allow`, a list of up to 4096 networks, can say"
            );
    }
    const auto asked_elsewhere = names_in(others);
    const auto asked_here = names_in(access.rules);
    for (const line* acl : access.acls)
    {
        const std::string& name = acl->word(1);
        if (allow && j.uses(name) && !asked_elsewhere.contains(name))
            book.use(acl->number);
        else if (asked_elsewhere.contains(name) || asked_here.contains(name))
            book.refuse(acl->number, acl->text(), of_refused_rule);
        else
            book.ignore(acl->number, acl->text(), of_no_rule);
    }
    return allow.value_or(networks());
}

void refuse_access(const access_rules& access, std::string_view why, ledger& book)
{
    for (const line* rule : access.rules)
        book.refuse(rule->number, rule->text(), why);
    const auto asked = names_in(access.rules);
    for (const line* acl : access.acls)
    {
        if (asked.contains(acl->word(1)))
            book.refuse(acl->number, acl->text(), of_refused_rule);
        else
            book.ignore(acl->number, acl->text(), of_no_rule);
    }
}

} // namespace rolegate::config::haproxy
