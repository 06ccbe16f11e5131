// SPDX-License-Identifier: PostgreSQL
//
// Boost.JSON compiled with the fuzzer's instrumentation.
#include <boost/json/src.hpp>
