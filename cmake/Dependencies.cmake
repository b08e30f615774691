# Everything the project links that is not its own, as imported targets:
#   from the system: uv::uv sqlite3::sqlite3 jansson::jansson inih::inih zstd::zstd
#                    cmocka::cmocka nanopb::protobuf-nanopb-static ZLIB::ZLIB Threads::Threads
#   from deploy/deps.sh, static: MbedTLS::mbedcrypto MbedTLS::mbedx509 MbedTLS::mbedtls
#                    libcoap::coap-3

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(ZLIB REQUIRED)

# Wraps one pkg-config module as <name>::<name>.
function(mycel_system_library name module)
  pkg_check_modules(${name} IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${module} is not installed: run `make deps` once.")
  endif()
  add_library(${name}::${name} ALIAS PkgConfig::${name})
endfunction()

mycel_system_library(uv libuv)
mycel_system_library(sqlite3 sqlite3)
mycel_system_library(jansson jansson)
mycel_system_library(inih inih)
mycel_system_library(zstd libzstd)
if(MYCEL_TESTS)
  mycel_system_library(cmocka cmocka)
endif()

# Optional, for a plugin only: programs and libraries never link it.
if(MYCEL_MPI)
  find_package(MPI COMPONENTS C)
endif()

find_package(nanopb CONFIG QUIET)
find_program(MYCEL_NANOPB_GENERATOR NAMES nanopb_generator nanopb_generator.py)
if(NOT nanopb_FOUND OR NOT MYCEL_NANOPB_GENERATOR)
  message(FATAL_ERROR "nanopb is not installed: run `make deps` once.")
endif()

# deploy/deps.sh knows where it puts what it builds; the place depends on versions and options.
execute_process(COMMAND ${PROJECT_SOURCE_DIR}/deploy/deps.sh prefix
  OUTPUT_VARIABLE MYCEL_DEPS_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/deploy/deps.sh ${PROJECT_SOURCE_DIR}/deploy/build_libraries.sh
  ${PROJECT_SOURCE_DIR}/deploy/sources.txt
  ${PROJECT_SOURCE_DIR}/deploy/mbedtls_config.h ${PROJECT_SOURCE_DIR}/deploy/mbedtls_sha256.c
  ${PROJECT_SOURCE_DIR}/deploy/mbedtls_ccm_alt.h ${PROJECT_SOURCE_DIR}/deploy/mbedtls_ccm.c
  ${PROJECT_SOURCE_DIR}/deploy/mbedtls_quiet.c)
if(NOT EXISTS ${MYCEL_DEPS_PREFIX}/lib/libcoap-3.a)
  message(FATAL_ERROR "mbedTLS and libcoap are not built in ${MYCEL_DEPS_PREFIX}: run `make deps`.")
endif()

# mycel_private_library(<target> <archive> [LINKS <target>...] [DEFINES <name>...])
function(mycel_private_library target archive)
  cmake_parse_arguments(ARG "" "" "LINKS;DEFINES" ${ARGN})
  add_library(${target} STATIC IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${MYCEL_DEPS_PREFIX}/lib/${archive}
    INTERFACE_INCLUDE_DIRECTORIES ${MYCEL_DEPS_PREFIX}/include
    INTERFACE_COMPILE_DEFINITIONS "${ARG_DEFINES}"
    INTERFACE_LINK_LIBRARIES "${ARG_LINKS}")
endfunction()

mycel_private_library(MbedTLS::everest libeverest.a)
mycel_private_library(MbedTLS::p256m libp256m.a)
mycel_private_library(MbedTLS::mbedcrypto libmbedcrypto.a
  LINKS MbedTLS::everest MbedTLS::p256m Threads::Threads)
mycel_private_library(MbedTLS::mbedx509 libmbedx509.a LINKS MbedTLS::mbedcrypto)
mycel_private_library(MbedTLS::mbedtls libmbedtls.a LINKS MbedTLS::mbedx509)
mycel_private_library(libcoap::coap-3 libcoap-3.a LINKS MbedTLS::mbedtls)
