// SPDX-License-Identifier: PostgreSQL
//
// Descriptors that this process was started with: listening sockets of systemd, or of the process
// that it takes over from. Who would bind asks here first. Control thread only.
#pragma once

#include "proxy/listen_fds.hpp"
#include "proxy/unique_fd.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rolegate::proxy
{

class inherited_sockets
{
public:
    // What the environment speaks of; it does so only once, for nobody whom we start is meant.
    void adopt_environment();

    // Of any kind. From here on nobody whom we start inherits it.
    void add(unique_fd fd, const std::string& name);

    // A stream socket that is bound to this address ("0.0.0.0:5432", "[::1]:5432", "unix:/path"),
    // non-blocking, listening or not. Of a unix socket only while its file is there. Not open:
    // there is none.
    [[nodiscard]] unique_fd take(std::string_view address);

    // The first of this name, whatever it is.
    [[nodiscard]] unique_fd take_named(std::string_view name);

    // Files of unix sockets that the process before had made: they are ours to remove.
    void own_files(std::vector<std::string> paths) { files_ = std::move(paths); }
    [[nodiscard]] bool is_ours(const std::string& path) const
    {
        return std::ranges::find(files_, path) != files_.end();
    }

    // Nobody else will take one: those that are left are closed, each with a warning. Their names.
    std::vector<std::string> close_rest();

private:
    struct descriptor
    {
        unique_fd fd;
        std::string name;
        std::string address; // "": no stream socket that is bound
    };

    std::vector<descriptor> left_;
    std::vector<std::string> files_;
};

// The environment belongs to the process, and so do these.
[[nodiscard]] inherited_sockets& inherited();

} // namespace rolegate::proxy
