# mycel_nanopb(<target> <file>.proto)
#
# Generates <build>/gen/<folder>/<file>.pb.{c,h}, included as "<folder>/<file>.pb.h", and makes a
# static library of them. Options with static sizes are read from <file>.options next to the source.
function(mycel_nanopb target proto)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  get_filename_component(stem ${proto} NAME_WE)
  set(root ${PROJECT_BINARY_DIR}/gen)
  set(out ${root}/${folder})
  file(MAKE_DIRECTORY ${out})
  file(GLOB inputs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${stem}.proto
    ${CMAKE_CURRENT_SOURCE_DIR}/${stem}.options)
  add_custom_command(
    OUTPUT ${out}/${stem}.pb.c ${out}/${stem}.pb.h
    COMMAND ${MYCEL_NANOPB_GENERATOR} --quiet --output-dir=${out} ${proto}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    DEPENDS ${inputs}
    COMMENT "Generating ${folder}/${stem}.pb.c"
    VERBATIM)
  add_library(${target} STATIC ${out}/${stem}.pb.c ${out}/${stem}.pb.h)
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${root}>)
  target_link_libraries(${target} PUBLIC nanopb::protobuf-nanopb-static)
endfunction()
