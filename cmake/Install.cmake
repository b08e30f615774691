# `cmake --install`: the program, and everything that an embedder of the client needs: headers,
# static libraries (ours in lib/, private third-party ones in lib/mycel/, so that they never meet
# the system's), a CMake package and a pkg-config file.

set(private_dir ${CMAKE_INSTALL_LIBDIR}/mycel)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mycel)

if(TARGET mycel)
  install(TARGETS mycel RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# The order in which a linker has to see them: dependents first.
set(client_libraries client_linux data client nn proto proto_messages common)
foreach(library IN LISTS client_libraries)
  set_target_properties(mycel_${library} PROPERTIES EXPORT_NAME ${library})
  install(TARGETS mycel_${library} EXPORT mycel ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endforeach()
install(EXPORT mycel NAMESPACE mycel:: FILE mycelTargets.cmake DESTINATION ${package_dir})
install(DIRECTORY common/include/mycel client/include/mycel
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

get_target_property(nanopb_archive nanopb::protobuf-nanopb-static IMPORTED_LOCATION_NONE)
install(FILES ${nanopb_archive} DESTINATION ${private_dir})
set(private_archives coap-3 mbedtls mbedx509 mbedcrypto everest p256m)
foreach(archive IN LISTS private_archives)
  install(FILES ${MYCEL_DEPS_PREFIX}/lib/lib${archive}.a DESTINATION ${private_dir})
endforeach()

include(CMakePackageConfigHelpers)
configure_package_config_file(cmake/mycelConfig.cmake.in ${CMAKE_BINARY_DIR}/mycelConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS private_dir)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/mycelConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/mycelConfig.cmake ${CMAKE_BINARY_DIR}/mycelConfigVersion.cmake
  DESTINATION ${package_dir})

# pkg-config gives one flat list; a library without sources yet has no archive to name.
foreach(library IN LISTS client_libraries)
  get_target_property(type mycel_${library} TYPE)
  if(type STREQUAL STATIC_LIBRARY)
    string(APPEND MYCEL_PC_LIBS " -lmycel_${library}")
  endif()
endforeach()
list(TRANSFORM private_archives PREPEND -l OUTPUT_VARIABLE private_flags)
list(JOIN private_flags " " MYCEL_PC_PRIVATE_LIBS)
file(RELATIVE_PATH MYCEL_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/mycel-client.pc.in ${CMAKE_BINARY_DIR}/mycel-client.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/mycel-client.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
