// SPDX-License-Identifier: PostgreSQL
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#ifdef __SANITIZE_THREAD__
// OpenSSL is not instrumented: what it guards with atomics of its own (reference counts,
// `ex_cached`, behind which the extensions of a certificate are parsed once) looks like a race
// between its memcmp and its malloc.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions()
{
    return "race:libcrypto.so\n";
}
#endif
