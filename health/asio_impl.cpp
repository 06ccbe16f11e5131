// SPDX-License-Identifier: PostgreSQL
//
// The bodies of Asio, its TLS layer and Beast, compiled once for the whole program.
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"

#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
