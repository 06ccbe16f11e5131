// SPDX-License-Identifier: PostgreSQL
//
// Where operators' orders arrive: they are carried out, written to the log, and kept until they are
// taken back. Control thread only.
#pragma once

#include "proxy/admin/operation.hpp"
#include "proxy/operator_state.hpp"
#include "proxy/reload_report.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <vector>

namespace rolegate::proxy
{
class front;
}

namespace rolegate::proxy::admin
{

class operator_desk
{
public:
    // What an order needs; asked anew for each, since a reload may change what is there.
    struct means
    {
        std::function<front&()> clients;
        std::function<std::vector<health::topology_ptr>()> beliefs; // of every cluster
        std::function<void(const std::string& cluster, const health::operator_orders&)> obey;
        std::function<void(const standing_orders&)> changed; // for whoever else is bound by them
        std::function<reload_report()> reload;
        std::function<bool()> upgrading; // whoever takes over would not know of an order
    };

    explicit operator_desk(means m) : means_(std::move(m)) {}

    [[nodiscard]] boost::asio::awaitable<response> operate(operation o);

    [[nodiscard]] const standing_orders& orders() const noexcept { return orders_; }

    // Takes over what was ordered elsewhere, and carries it out. What is about listeners, clusters
    // and members that are not here waits for them.
    void take_over(standing_orders orders);

    // Carries out what stands, for new monitors and listeners.
    void apply();

private:
    response pause(const operation& o);
    response set_state(const operation& o);
    [[nodiscard]] ordered_by stamp(const operation& o) const;

    means means_;
    standing_orders orders_;
};

} // namespace rolegate::proxy::admin
