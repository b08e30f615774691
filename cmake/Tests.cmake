# mycel_unit_test(), mycel_unit_tests(), mycel_script_test() and mycel_bench().

# Sanitizer findings must fail the test that caused them, with a readable stack.
set(MYCEL_TEST_ENVIRONMENT
  "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
  "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
  "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1"
  "MYCEL_BIN=${CMAKE_BINARY_DIR}/bin/mycel"
  "MYCEL_SOURCE_DIR=${PROJECT_SOURCE_DIR}")

# Flags of tests and benches: the shells' liberties, and where sources (golden files) and program are.
function(mycel_test_flags target)
  target_link_libraries(${target} PRIVATE mycel_flags ${ARGN})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE
    MYCEL_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MYCEL_BIN="${MYCEL_BIN_DIR}/mycel")
endfunction()

function(mycel_test_executable target)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  mycel_test_flags(${target} ${ARG_LINKS})
endfunction()

# mycel_unit_test(<name> SOURCES <file>... [LINKS <target>...] [TIMEOUT <s>] [LABEL <label>])
function(mycel_unit_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;LABEL" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  string(REPLACE "/" "_" target ${name})
  mycel_test_executable(${target} SOURCES ${ARG_SOURCES} LINKS ${ARG_LINKS} cmocka::cmocka)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS ${ARG_LABEL}
    ENVIRONMENT "${MYCEL_TEST_ENVIRONMENT}")
endfunction()

# mycel_unit_tests(<folder> [LINKS <target>...] [TIMEOUT <s>] [LABEL <label>])
#
# Each <folder>/test_*.c is one test; the folder's other C files are helpers, compiled once and linked
# into all.
function(mycel_unit_tests folder)
  cmake_parse_arguments(ARG "" "TIMEOUT;LABEL" "LINKS" ${ARGN})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
  file(GLOB tests CONFIGURE_DEPENDS ${dir}/test_*.c)
  file(GLOB helpers CONFIGURE_DEPENDS ${dir}/*.c)
  list(FILTER helpers EXCLUDE REGEX "/test_[^/]*\\.c$")
  file(RELATIVE_PATH group ${PROJECT_SOURCE_DIR}/tests ${dir})
  if(helpers)
    string(REPLACE "/" "_" helper_target ${group}_helpers)
    add_library(${helper_target} OBJECT ${helpers})
    mycel_test_flags(${helper_target} ${ARG_LINKS} cmocka::cmocka)
    set(helpers $<TARGET_OBJECTS:${helper_target}>)
  endif()
  foreach(test IN LISTS tests)
    get_filename_component(stem ${test} NAME_WE)
    string(REGEX REPLACE "^test_" "" stem ${stem})
    mycel_unit_test(${group}/${stem} SOURCES ${test} ${helpers} LINKS ${ARG_LINKS}
      TIMEOUT ${ARG_TIMEOUT} LABEL ${ARG_LABEL})
  endforeach()
endfunction()

# mycel_script_test(<name> COMMAND <command>... [LABEL <label>] [TIMEOUT <s>])
function(mycel_script_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;LABEL" "COMMAND" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABEL}"
    ENVIRONMENT "${MYCEL_TEST_ENVIRONMENT}")
endfunction()

# mycel_bench(<name> SOURCES <file>... [LINKS <target>...])
# mycel_bench(<name> SCRIPT <file>)
#
# A bench prints one JSON object a line and exits 0. `make bench` runs all of them in order of name.
function(mycel_bench name)
  cmake_parse_arguments(ARG "" "SCRIPT" "SOURCES;LINKS" ${ARGN})
  if(ARG_SCRIPT)
    set(command ${ARG_SCRIPT})
  else()
    mycel_test_executable(bench_${name} SOURCES ${ARG_SOURCES} LINKS ${ARG_LINKS})
    set(command $<TARGET_FILE:bench_${name}>)
  endif()
  set_property(GLOBAL APPEND PROPERTY MYCEL_BENCHES "${name}\t${command}")
endfunction()
