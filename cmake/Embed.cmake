# Writes the shipped scenarios as C texts, so that the command knows them wherever it was installed.
# cmake -DFOLDER=<of .ini files> -DOUT=<file.c> -P Embed.cmake
file(GLOB files ${FOLDER}/*.ini)
list(SORT files)
set(rows "")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
  string(APPEND rows "    {\"${name}\",\n     \"${text}\"},\n")
endforeach()
file(WRITE ${OUT}
  "#include \"sim/scenario/shipped.h\"\n\nconst struct shipped_scenario shipped_scenarios[] = {\n${rows}    {0}};\n")
