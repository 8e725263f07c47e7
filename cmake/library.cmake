# cambium::cambium: the folders' objects in one library. (Install rules, shared library, package and pkg-config follow.)
add_library(cambium STATIC)
foreach(folder util base env wal memtable sstable manifest compaction engine)
  target_sources(cambium PRIVATE $<TARGET_OBJECTS:cambium_${folder}>)
endforeach()
set_target_properties(cambium PROPERTIES LINKER_LANGUAGE CXX)
target_compile_features(cambium PUBLIC cxx_std_20)
target_include_directories(cambium PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                          $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(cambium PUBLIC absl::status absl::statusor PRIVATE absl::strings
                              PkgConfig::xxhash PkgConfig::zstd Threads::Threads)
add_library(cambium::cambium ALIAS cambium)
