# How this tree declares its targets: one static library a folder, one executable a test file.

find_package(Threads REQUIRED GLOBAL)
find_package(absl REQUIRED GLOBAL)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET GLOBAL libxxhash)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET GLOBAL libzstd)

# Flags of our own targets; none reaches a user's.
add_library(cambium_flags INTERFACE)
target_compile_features(cambium_flags INTERFACE cxx_std_20)
target_compile_options(
  cambium_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                          -Wcast-qual -Wunused)
if(CAMBIUM_WERROR)
  target_compile_options(cambium_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(cambium_flags INTERFACE -Wthread-safety)
elseif(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # At -O3, GCC 12 sees overlapping copies inside std::string's operator+ (GCC bug 105651).
  target_compile_options(cambium_flags INTERFACE $<$<CONFIG:Release>:-Wno-restrict>)
endif()

# Flags that whoever links our objects inside this build needs too.
add_library(cambium_instrumentation INTERFACE)
if(CAMBIUM_SANITIZE)
  target_compile_options(
    cambium_instrumentation INTERFACE -fsanitize=${CAMBIUM_SANITIZE} -fno-omit-frame-pointer
                                      -fno-sanitize-recover=all)
  target_link_options(cambium_instrumentation INTERFACE -fsanitize=${CAMBIUM_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code confuses GCC's analysis of values; the other builds have these as errors.
    foreach(warning array-bounds stringop-overflow stringop-overread maybe-uninitialized restrict)
      target_compile_options(cambium_instrumentation INTERFACE -Wno-error=${warning})
    endforeach()
  endif()
endif()
if(CAMBIUM_COVERAGE)
  target_compile_options(cambium_instrumentation INTERFACE --coverage)
  target_link_options(cambium_instrumentation INTERFACE --coverage)
endif()
target_link_libraries(cambium_flags INTERFACE cambium_instrumentation)

# Precompiled standard and library headers, half the time of a debug build. Release and clang builds do without, so that a
# source that forgets an include does not compile there.
set(CAMBIUM_COMMON_HEADERS <algorithm> <atomic> <functional> <map> <memory> <optional> <span> <string> <string_view>
                           <utility> <vector> <absl/status/statusor.h> <absl/strings/str_cat.h>)

# cambium_precompile(<target> <as> [<more headers…>]): `as` names a set of targets that compile with the same flags; the first of
# them compiles the headers, the others use what it made.
function(cambium_precompile target as)
  if(NOT CAMBIUM_PCH)
    return()
  endif()
  get_property(first GLOBAL PROPERTY cambium_precompiled_${as})
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE ${CAMBIUM_COMMON_HEADERS} ${ARGN})
    set_property(GLOBAL PROPERTY cambium_precompiled_${as} ${target})
  endif()
endfunction()

# cambium_folder(<folder> SOURCES <files…> DEPS <folders…> [LIBS <targets…>])
# The library of one folder of the tree, linked to the folders below it.
function(cambium_folder folder)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;LIBS" ${ARGN})
  set(target cambium_${folder})
  add_library(${target} STATIC ${arg_SOURCES})
  set_target_properties(
    ${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF
                         CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  list(TRANSFORM arg_DEPS PREPEND cambium_)
  target_link_libraries(
    ${target}
    PUBLIC ${arg_DEPS} ${arg_LIBS} absl::status absl::statusor absl::strings
    PRIVATE cambium_flags)
  cambium_precompile(${target} library)
endfunction()

# cambium_test(<name> SOURCES <files…> DEPS <folders…> [LIBS <targets…>] [LABELS <labels…>] [TIMEOUT <seconds>])
# One GoogleTest executable, registered with CTest. Its label is "unit" where none is given.
function(cambium_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPS;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  list(TRANSFORM arg_DEPS PREPEND cambium_)
  target_link_libraries(
    ${name} PRIVATE ${arg_DEPS} ${arg_LIBS} GTest::gmock GTest::gtest_main cambium_flags)
  cambium_precompile(${name} tests <gtest/gtest.h>)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
