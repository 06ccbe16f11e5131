// SPDX-License-Identifier: PostgreSQL
//
// The command line: `rolegate run|check|status|explain|events|pause|resume|import-haproxy|version`
// and others. Exit codes: 0 done, 1 failed at run time, 2 configuration or usage error, 3 a line of
// a haproxy.cfg was refused.
#pragma once

namespace rolegate::proxy::cli
{

[[nodiscard]] int main(int argc, char** argv);

} // namespace rolegate::proxy::cli
