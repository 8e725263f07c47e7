# `cmake --install`: headers, libraries, a CMake package and a pkg-config file, all of them relocatable.

include(CMakePackageConfigHelpers)

install(DIRECTORY include/cambium DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
set(cambium_installed cambium)
if(TARGET cambium_shared)
  list(APPEND cambium_installed cambium_shared)
endif()
install(
  TARGETS ${cambium_installed}
  EXPORT cambium-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cambium)
install(EXPORT cambium-targets NAMESPACE cambium:: DESTINATION ${package_dir})
configure_package_config_file(cmake/cambium-config.cmake.in cambium-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(cambium-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cambium-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/cambium-config-version.cmake DESTINATION ${package_dir})

# The .pc file finds its prefix from where it lies.
file(RELATIVE_PATH pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(cmake/cambium.pc.in cambium.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cambium.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
