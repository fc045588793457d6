# Installation and the two Debian packages. Both install /usr/bin/liftlock; they exclude each other, as the two sides do.
include(GNUInstallDirs)

foreach(side low high)
  set(made ${CMAKE_BINARY_DIR}/installed/${side})
  add_custom_command(OUTPUT ${made}/stamp
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${made}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${made}/man
    COMMAND $<TARGET_FILE:liftlock-${side}> manual ${made}/man
    COMMAND $<TARGET_FILE:liftlock-${side}> completion > ${made}/liftlock.bash
    COMMAND ${CMAKE_COMMAND} -E touch ${made}/stamp
    DEPENDS liftlock-${side} VERBATIM)
  add_custom_target(manual-${side} ALL DEPENDS ${made}/stamp)

  install(PROGRAMS $<TARGET_FILE:liftlock-${side}> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME liftlock COMPONENT ${side})
  install(DIRECTORY ${made}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${side})
  install(FILES ${made}/liftlock.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME liftlock COMPONENT ${side})
  install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT ${side})
  install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs COMPONENT ${side})
endforeach()
install(FILES packaging/liftlock.service packaging/liftlock-sync.service packaging/liftlock-expire.service
  packaging/liftlock-expire.timer packaging/liftlock-logins.service packaging/liftlock-logins.timer DESTINATION lib/systemd/system COMPONENT high)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "Liftlock")
set(CPACK_PACKAGE_CONTACT "Liftlock maintainers <maintainers@liftlock.invalid>")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL low high)
set(CPACK_DEBIAN_LOW_PACKAGE_NAME liftlock-low)
set(CPACK_DEBIAN_HIGH_PACKAGE_NAME liftlock-high)
set(CPACK_DEBIAN_LOW_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_HIGH_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_LOW_PACKAGE_DEPENDS "gpgv, gnupg, bubblewrap")
set(CPACK_DEBIAN_HIGH_PACKAGE_DEPENDS "gpgv, gnupg, bubblewrap, adduser, procps")
# For [git.…] tables, and to serve what they brought; dnf solves [rpm.…] tables.
set(CPACK_DEBIAN_LOW_PACKAGE_SUGGESTS "git, dnf, dnf-plugins-core")
set(CPACK_DEBIAN_HIGH_PACKAGE_SUGGESTS "git")
set(CPACK_DEBIAN_HIGH_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/packaging/postinst ${CMAKE_SOURCE_DIR}/packaging/prerm ${CMAKE_SOURCE_DIR}/packaging/postrm)
set(CPACK_DEBIAN_HIGH_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_LOW_PACKAGE_RECOMMENDS "python3-pip")
set(CPACK_DEBIAN_LOW_PACKAGE_CONFLICTS liftlock-high)
set(CPACK_DEBIAN_HIGH_PACKAGE_CONFLICTS liftlock-low)
set(CPACK_COMPONENT_LOW_DESCRIPTION "Carries AI stacks across an air gap: the connected side\n Locks, fetches and seals stacks into signed bundles.")
set(CPACK_COMPONENT_HIGH_DESCRIPTION "Carries AI stacks across an air gap: the isolated side\n Verifies and ingests bundles, serves them to pip, apt and container clients, and runs engines.")
include(CPack)
