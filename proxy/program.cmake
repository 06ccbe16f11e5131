# The parts that do I/O, and the program.
find_package(OpenSSL REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)

configure_file(version.hpp.in ${PROJECT_BINARY_DIR}/generated/rolegate_version.hpp @ONLY)

# The status page is one document; its parts have files of their own.
set(PAGE ${CMAKE_CURRENT_LIST_DIR}/admin/page)
file(GLOB PAGE_PARTS CONFIGURE_DEPENDS ${PAGE}/*)
add_custom_command(
    OUTPUT ${PROJECT_BINARY_DIR}/generated/rolegate_page.cpp
    COMMAND ${CMAKE_COMMAND} -D FROM=${PAGE}
        -D TO=${PROJECT_BINARY_DIR}/generated/rolegate_page.cpp -P ${PAGE}/join.cmake
    DEPENDS ${PAGE_PARTS}
    COMMENT "Joining the status page")

# Pure: what operators and their tools are shown.
add_library(proxy_pages STATIC
    ${PROJECT_BINARY_DIR}/generated/rolegate_page.cpp
    admin/access.cpp
    admin/basic_auth.cpp
    admin/cluster_json.cpp
    admin/events_json.cpp
    admin/haproxy_csv.cpp
    admin/haproxy_member.cpp
    admin/haproxy_row.cpp
    admin/iso8601.cpp
    admin/json.cpp
    admin/login_attempts.cpp
    admin/operation.cpp
    admin/password.cpp
    admin/reload_json.cpp
    admin/readiness.cpp
    admin/routes.cpp
    admin/sessions_json.cpp
    admin/traffic_json.cpp
    cli/colour.cpp
    cli/format.cpp
    cli/json_text.cpp
    cli/operations.cpp
    cli/reload_text.cpp
    cli/table.cpp
    metrics.cpp
    process_metrics.cpp
    stats.cpp)
target_link_libraries(proxy_pages PUBLIC proxy_core config PRIVATE PkgConfig::PROMETHEUS crypt)

# What workers share: no I/O, only locks.
add_library(proxy_shared STATIC
    cancel_keys.cpp
    handshake_count.cpp
    hold.cpp
    selection.cpp
    traffic_count.cpp)
target_link_libraries(proxy_shared PUBLIC proxy_core pgwire settings Threads::Threads)

add_library(proxy STATIC
    admin/answers.cpp
    admin/authenticator.cpp
    admin/doorway.cpp
    admin/http_exchange.cpp
    admin/http_server.cpp
    admin/operator_desk.cpp
    admin/shared_listing.cpp
    admin/shared_view.cpp
    buffer_pool.cpp
    cancel.cpp
    certificate_ends.cpp
    cluster_record.cpp
    clusters.cpp
    cli/client.cpp
    command_line.cpp
    configuration.cpp
    connect.cpp
    descriptors.cpp
    event_loop.cpp
    front.cpp
    front_reload.cpp
    gather.cpp
    inherited_sockets.cpp
    last_sessions.cpp
    listener.cpp
    listener_state.cpp
    listener_tls.cpp
    listening_socket.cpp
    log.cpp
    log_writer.cpp
    peer.cpp
    predecessor.cpp
    process_life.cpp
    process_usage.cpp
    relay.cpp
    server.cpp
    service_notify.cpp
    service_report.cpp
    session.cpp
    session_client.cpp
    session_events.cpp
    session_operator.cpp
    session_server.cpp
    session_server_tls.cpp
    standstill.cpp
    successor.cpp
    tls_context.cpp
    tls_stream.cpp
    topology_log.cpp
    transport.cpp
    unusable_files.cpp
    upgrade.cpp
    worker.cpp
    worker_listeners.cpp
    worker_moves.cpp
    worker_sessions.cpp)
target_precompile_headers(proxy REUSE_FROM asio_impl)
target_include_directories(proxy PUBLIC ${PROJECT_BINARY_DIR}/generated)
target_link_libraries(proxy
    PUBLIC proxy_pages proxy_shared health config asio_impl
    PRIVATE OpenSSL::SSL PkgConfig::SYSTEMD)

add_executable(rolegate
    main.cpp
    cli/admin_options.cpp
    cli/commands.cpp
    cli/import_haproxy.cpp
    cli/version.cpp
    cli/watch.cpp)
target_link_libraries(rolegate PRIVATE proxy haproxy_import)
