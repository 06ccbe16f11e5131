// SPDX-License-Identifier: PostgreSQL
//
// The user and database of a client's StartupMessage, kept for as long as its session lives: in as
// little room as they need. Pure.
#pragma once

#include "proxy/pgwire/first_packet.hpp"

#include <memory>
#include <string>

namespace rolegate::proxy
{

class client_names
{
public:
    // As the server shows them: cut at 63 bytes, the database named like the user where it is not
    // said. What is no UTF-8, and control characters, become "?".
    void remember(pgwire::bytes startup);

    // "" = not known.
    [[nodiscard]] std::string user() const;
    [[nodiscard]] std::string database() const;

private:
    std::unique_ptr<char[]> text_; // both, each with a zero behind it
};

} // namespace rolegate::proxy
