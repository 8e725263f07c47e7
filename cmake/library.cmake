# cambium::cambium: the folders' objects in one library, static, and shared where CAMBIUM_BUILD_SHARED is set.

# cambium_library(<target> <STATIC|SHARED>): one of the two.
function(cambium_library target kind)
  add_library(${target} ${kind})
  foreach(folder IN LISTS CAMBIUM_FOLDERS)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:cambium_${folder}>)
  endforeach()
  set_target_properties(${target} PROPERTIES OUTPUT_NAME cambium LINKER_LANGUAGE CXX)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(
    ${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                     $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  # Compression and checksums are the library's own affair: who installs it finds them by cambium-config.cmake, who
  # builds it inside another project by these targets.
  target_link_libraries(
    ${target}
    PUBLIC absl::status absl::statusor
    PRIVATE absl::strings Threads::Threads
            $<BUILD_INTERFACE:PkgConfig::xxhash> $<BUILD_INTERFACE:PkgConfig::zstd>
            $<INSTALL_INTERFACE:cambium::xxhash> $<INSTALL_INTERFACE:cambium::zstd>)
  target_link_libraries(${target} INTERFACE $<BUILD_INTERFACE:cambium_instrumentation>)
endfunction()

cambium_library(cambium STATIC)
add_library(cambium::cambium ALIAS cambium)
set_target_properties(cambium PROPERTIES EXPORT_NAME cambium_static)

if(CAMBIUM_BUILD_SHARED AND NOT CAMBIUM_SANITIZE)
  cambium_library(cambium_shared SHARED)
  set_target_properties(
    cambium_shared
    PROPERTIES EXPORT_NAME cambium_shared
               VERSION ${PROJECT_VERSION}
               SOVERSION ${PROJECT_VERSION_MAJOR}
               LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
  target_link_options(
    cambium_shared PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map
                           -Wl,--no-undefined -Wl,--as-needed)
endif()
