# Compiler flags that hold for every target of the project.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

# The program is the only thing a user looks for in the build folder.
set(MYCEL_BIN_DIR ${CMAKE_BINARY_DIR}/bin)

# An interface target instead of add_compile_options(): fetched or generated code can opt out.
add_library(mycel_flags INTERFACE)
target_include_directories(mycel_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(mycel_flags INTERFACE
  -Wall -Wextra -Wshadow -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2
  -Wdouble-promotion -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Werror=vla -Werror=implicit-function-declaration -Werror=incompatible-pointer-types
  -fno-common -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
if(MYCEL_WERROR)
  target_compile_options(mycel_flags INTERFACE -Werror)
endif()

if(MYCEL_SANITIZE)
  # A finding ends the process: a test that only prints a report would pass.
  target_compile_options(mycel_flags INTERFACE
    -fsanitize=${MYCEL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(mycel_flags INTERFACE -fsanitize=${MYCEL_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(mycel_flags INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE
    -D_FORTIFY_SOURCE=2)
endif()
