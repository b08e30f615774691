# mycel_library() and mycel_program(): what a folder's CMakeLists.txt consists of.

# mycel_library(<target> [SHELL] [SOURCES <file>...] [DIRS <dir>...] [PUBLIC_INCLUDE <dir>]
#               [OPTIONS <flag>...] [LINKS <target>...])
#
# A static library from the C files of the current folder (and of DIRS below it), so that adding a
# file needs no edit here. SHELL marks code that may use POSIX and GNU interfaces; everything else
# is compiled as plain C11 and cannot reach them by accident. A folder without sources becomes an
# interface target, so that the edges to it stay valid.
function(mycel_library target)
  cmake_parse_arguments(ARG "SHELL" "PUBLIC_INCLUDE" "SOURCES;DIRS;OPTIONS;LINKS" ${ARGN})
  if(NOT ARG_SOURCES)
    set(patterns *.c)
    foreach(dir IN LISTS ARG_DIRS)
      list(APPEND patterns ${dir}/*.c)
    endforeach()
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${patterns})
  endif()

  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:mycel_flags> PUBLIC ${ARG_LINKS})
    target_compile_options(${target} PRIVATE ${ARG_OPTIONS})
    if(ARG_SHELL)
      target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    endif()
    set(scope PUBLIC)
  else()
    message(STATUS "${target}: no sources yet")
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${ARG_LINKS})
    set(scope INTERFACE)
  endif()
  if(ARG_PUBLIC_INCLUDE)
    target_include_directories(${target} ${scope}
      $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/${ARG_PUBLIC_INCLUDE}>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endif()
endfunction()

# mycel_program(<target> [SOURCES <file>...] [LINKS <target>...])
#
# An executable in <build>/bin from the C files of the current folder.
function(mycel_program target)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.c)
  endif()
  if(NOT ARG_SOURCES)
    message(STATUS "${target}: no sources yet")
    return()
  endif()
  add_executable(${target} ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE mycel_flags ${ARG_LINKS})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE MYCEL_VERSION="${PROJECT_VERSION}")
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${MYCEL_BIN_DIR})
endfunction()
