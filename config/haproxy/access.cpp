// SPDX-License-Identifier: PostgreSQL
#include "config/haproxy/access.hpp"

#include "config/network.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace rolegate::config::haproxy
{
namespace
{

using networks = std::vector<network>;

void add_all(const networks& from, networks& to)
{
    for (const network& n : from)
        if (std::ranges::find(to, n) == to.end())
            to.push_back(n);
}

// The words behind `src`; nullopt: a file, or what is no network.
std::optional<networks> parse_source(const std::vector<std::string>& words, std::size_t first)
{
    networks out;
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
    networks inside;      // the client is in one of these ...
    bool negated = false; // ... or in none of them
};

class judge
{
public:
    explicit judge(const access_rules& access) : access_(access)
    {
        for (const line* acl : access.acls)
        {
            if (acl->word(2) != "src")
                continue;
            const auto nets = parse_source(acl->words, 3);
            if (!nets)
                broken_.insert(acl->word(1));
            else
                add_all(*nets, by_name_[acl->word(1)]); // of one name any will do
        }
    }

    // nullopt: more than a list of networks can say.
    std::optional<networks> run()
    {
        networks allow;
        for (const line* rule : access_.rules)
        {
            if (decided_)
                break; // never reached
            if (!take(*rule, allow))
                return std::nullopt;
        }
        return is_list_ ? allow : networks();
    }

    [[nodiscard]] bool uses(const std::string& acl) const { return used_.contains(acl); }

private:
    bool take(const line& rule, networks& allow)
    {
        const std::string& action = rule.word(2);
        const bool accepts = action == "accept";
        if (rule.word(1) != "connection" || (!accepts && action != "reject"))
            return false;
        if (rule.words.size() == 3) // without a condition
        {
            decided_ = true;
            is_list_ = !accepts;
            return accepts || !allow.empty();
        }
        auto c = parse_condition(rule);
        if (!c || c->negated != (accepts ? false : true))
            return false;
        add_all(c->inside, allow);
        decided_ = !accepts;
        is_list_ = !accepts;
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
    bool take_term(const line& rule, const std::string& word, std::size_t& at, networks& to)
    {
        if (word != "{")
        {
            const auto found = by_name_.find(word);
            if (found == by_name_.end() || broken_.contains(word))
                return false;
            used_.insert(word);
            add_all(found->second, to);
            return true;
        }
        std::vector<std::string> inside;
        for (++at; at < rule.words.size() && rule.words[at] != "}"; ++at)
            inside.push_back(rule.words[at]);
        if (inside.empty() || inside.front() != "src")
            return false;
        const auto nets = parse_source(inside, 1);
        if (nets)
            add_all(*nets, to);
        return nets.has_value();
    }

    const access_rules& access_;
    std::map<std::string, networks> by_name_;
    std::set<std::string> broken_;
    std::set<std::string> used_;
    bool decided_ = false; // the rules that follow are never reached
    bool is_list_ = false; // what remains are those that were let in
};

bool names(const std::vector<const line*>& lines, const std::string& acl)
{
    return std::ranges::any_of(
        lines,
        [&acl](const line* l)
        {
            return std::ranges::find(l->words, acl) != l->words.end() ||
                   std::ranges::find(l->words, "!" + acl) != l->words.end();
        }
    );
}

} // namespace

networks
allowed_networks(const access_rules& access, const std::vector<const line*>& others, ledger& book)
{
    judge j(access);
    const auto allow = j.run();
    for (const line* rule : access.rules)
    {
        if (allow)
            book.use(rule->number);
        else
            book.refuse(
                rule->number, rule->text(), "says more than `allow`, a list of networks, can say"
            );
    }
    for (const line* acl : access.acls)
    {
        const std::string& name = acl->word(1);
        if (allow && j.uses(name) && !names(others, name))
            book.use(acl->number);
        else if (names(others, name) || names(access.rules, name))
            book.refuse(acl->number, acl->text(), "belongs to a rule that is refused");
        else
            book.ignore(acl->number, acl->text(), "no rule asks for it");
    }
    return allow.value_or(networks());
}

} // namespace rolegate::config::haproxy
