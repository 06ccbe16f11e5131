// SPDX-License-Identifier: PostgreSQL
//
// The program. Everything it can do stands in cli/commands.cpp.
#include "proxy/cli/commands.hpp"

int main(int argc, char** argv)
{
    return rolegate::proxy::cli::main(argc, argv);
}
