# What others find after `cmake --install`: find_package(portolan), pkg-config, the manual.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(EXPORT portolan-targets NAMESPACE portolan:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/portolan)
file(WRITE ${CMAKE_BINARY_DIR}/portolan-config.cmake "include(\${CMAKE_CURRENT_LIST_DIR}/portolan-targets.cmake)\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/portolan-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/portolan-config.cmake ${CMAKE_BINARY_DIR}/portolan-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/portolan)

# The prefix is where the file lies, so that a tree that was moved is found too.
file(RELATIVE_PATH to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
file(WRITE ${CMAKE_BINARY_DIR}/portolan.pc "prefix=\${pcfiledir}/${to_prefix}
Name: portolan
Description: eBPF maps and programs in user space
Version: ${PROJECT_VERSION}
Cflags: -I\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}
Libs: -L\${pcfiledir}/.. -lportolan
Libs.private: -lelf -lz -lfmt -pthread
")
install(FILES ${CMAKE_BINARY_DIR}/portolan.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES ${CMAKE_SOURCE_DIR}/docs/man/portolan.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
