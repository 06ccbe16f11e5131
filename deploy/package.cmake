# What is installed where, and the Debian package: `cmake --build build --target package`, or cpack
# inside of a build directory where `rolegate` is built.
#
# Paths are those of the Debian package; the unit, the scripts and the manual name them.

set(DOC share/doc/rolegate)
set(PACKED ${PROJECT_BINARY_DIR}/package)
file(MAKE_DIRECTORY ${PACKED})

install(TARGETS rolegate DESTINATION bin)
install(FILES deploy/systemd/rolegate.service DESTINATION lib/systemd/system)
install(FILES deploy/systemd/rolegate.sysusers DESTINATION lib/sysusers.d RENAME rolegate.conf)
install(FILES deploy/completion/rolegate.bash
    DESTINATION share/bash-completion/completions RENAME rolegate)
install(FILES deploy/rolegate.yaml DESTINATION /etc/rolegate)
# The example again: by it the unit knows a configuration that nobody has edited yet. Not below
# share/doc, which small images leave out.
install(FILES deploy/rolegate.yaml deploy/rolegate.schema.json DESTINATION share/rolegate)
foreach(EXTRA deploy/grafana-dashboard.json deploy/prometheus-alerts.yaml)
    if(EXISTS ${PROJECT_SOURCE_DIR}/${EXTRA})
        install(FILES ${EXTRA} DESTINATION share/rolegate)
    endif()
endforeach()
install(FILES README.md deploy/events.md config/reference.yaml DESTINATION ${DOC})
install(FILES deploy/debian/copyright DESTINATION ${DOC})
install(FILES deploy/debian/lintian-overrides DESTINATION share/lintian/overrides RENAME rolegate)

# Debian wants these compressed, without the time in it.
function(rolegate_install_compressed SOURCE DESTINATION NAME)
    set(OUT ${PACKED}/${NAME}.gz)
    add_custom_command(OUTPUT ${OUT}
        COMMAND gzip -9nc ${PROJECT_SOURCE_DIR}/${SOURCE} > ${OUT}
        DEPENDS ${PROJECT_SOURCE_DIR}/${SOURCE} VERBATIM)
    set_property(GLOBAL APPEND PROPERTY ROLEGATE_COMPRESSED ${OUT})
    install(FILES ${OUT} DESTINATION ${DESTINATION})
endfunction()
rolegate_install_compressed(deploy/manual/rolegate.1 share/man/man1 rolegate.1)
rolegate_install_compressed(deploy/manual/rolegate.yaml.5 share/man/man5 rolegate.yaml.5)
rolegate_install_compressed(CHANGELOG.md ${DOC} changelog)
rolegate_install_compressed(deploy/debian/changelog ${DOC} changelog.Debian)
get_property(COMPRESSED GLOBAL PROPERTY ROLEGATE_COMPRESSED)
add_custom_target(package_files ALL DEPENDS ${COMPRESSED})
# So that whoever builds the program alone can pack it.
add_dependencies(rolegate package_files)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME rolegate)
set(CPACK_PACKAGE_VENDOR "The Rolegate developers")
set(CPACK_PACKAGE_CONTACT "The Rolegate developers <rolegate@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "PostgreSQL-aware Layer-4 proxy for Patroni clusters")
set(CPACK_PACKAGE_DESCRIPTION "\
Clients connect to a port that stands for a role: the primary, or the replicas
in turn. Rolegate follows Patroni and its DCS, knows at every moment which
member has that role, holds clients while nobody has it, and ends the sessions
of a member that lost it. It takes HAProxy's place in front of the cluster, on
a proxy host, on each node, or beside an application.")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "bash-completion, patroni, prometheus")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles
    ${PROJECT_SOURCE_DIR}/deploy/debian/postinst
    ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
    ${PROJECT_SOURCE_DIR}/deploy/debian/postrm)
include(CPack)
