# mycel_library() and mycel_program(): what a folder's CMakeLists.txt consists of.

# mycel_library(<target> [SHELL] [SOURCES <file>...] [DIRS <dir>...] [PUBLIC_INCLUDE <dir>]
#               [OPTIONS <flag>...] [LINKS <target>...])
#
# A static library from the C files of the current folder (and of DIRS below it), so that adding a
# file needs no edit here (a main.c is left to the program). SHELL marks code that may use POSIX and
# GNU interfaces; everything else is compiled as plain C11 and cannot reach them by accident. A
# folder without sources becomes an interface target, so that the edges to it stay valid.
function(mycel_library target)
  cmake_parse_arguments(ARG "SHELL" "PUBLIC_INCLUDE" "SOURCES;DIRS;OPTIONS;LINKS" ${ARGN})
  if(NOT ARG_SOURCES)
    set(patterns *.c)
    foreach(dir IN LISTS ARG_DIRS)
      list(APPEND patterns ${dir}/*.c)
    endforeach()
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${patterns})
    list(REMOVE_ITEM ARG_SOURCES main.c)
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

# mycel_program(<target> <file> [LINKS <target>...])
#
# An executable in <build>/bin, once its file exists.
function(mycel_program target source)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${source})
    message(STATUS "${target}: no ${source} yet")
    return()
  endif()
  add_executable(${target} ${source})
  target_link_libraries(${target} PRIVATE mycel_flags ${ARG_LINKS})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${MYCEL_BIN_DIR})
endfunction()
