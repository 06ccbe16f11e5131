// SPDX-License-Identifier: PostgreSQL
//
// Runs a fuzz target over the files of a directory, without libFuzzer.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv)
{
    if (argc != 2)
    {
        std::fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }

    int files = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(argv[1], error))
    {
        std::ifstream in(entry.path(), std::ios::binary);
        const std::string content{std::istreambuf_iterator<char>(in), {}};
        // Named before it runs: after an abort the last line says which file it was.
        std::printf("%s\n", entry.path().c_str());
        std::fflush(stdout);
        LLVMFuzzerTestOneInput(
            reinterpret_cast<const std::uint8_t*>(content.data()), content.size()
        );
        ++files;
    }
    // A moved or forgotten corpus must not look like a passed test.
    if (files == 0)
    {
        std::fprintf(stderr, "%s: no files to replay\n", argv[1]);
        return 1;
    }
    return 0;
}
