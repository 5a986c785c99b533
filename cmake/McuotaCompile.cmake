# Compile rules every target of the project shares. Use mcuota_library()/mcuota_program()/mcuota_test() and
# never set warnings or sanitizers by hand.
option(MCUOTA_BOARD "build the virtual board (needs libunicorn-dev)" ON)
set(MCUOTA_SANITIZE "" CACHE STRING "comma-separated sanitizers, for example address,undefined")

add_library(mcuota_warnings INTERFACE)
target_compile_options(mcuota_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)

if(CMAKE_CROSSCOMPILING)
    # Link-time optimisation saves the loader 4 KiB of flash; one partition, so that the result depends on nothing else.
    add_compile_options(-flto -flto-partition=one -fno-fat-lto-objects)
    add_link_options(-flto -flto-partition=one)
endif()

option(MCUOTA_FUZZ "build the libFuzzer programs of tests/fuzz (clang, preset fuzz)" OFF)
if(MCUOTA_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(MCUOTA_SANITIZE)
    add_compile_options(-fsanitize=${MCUOTA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${MCUOTA_SANITIZE})
    if(MCUOTA_SANITIZE MATCHES "thread")
        # The thread sanitizer does not know fences (gcc refuses them); Asio orders its handlers by mutexes all the same.
        add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
    endif()
endif()

# The project root is the one include directory: #include "mcu_flasher/base/result.hpp".
function(mcuota_target name)
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE mcuota_warnings)
endfunction()

# mcuota_busy(TARGET...): where tests spend their time (hashes, decoders, matching, the simulated processor). Optimised in
# debug builds, too: with sanitizers these parts would take minutes.
function(mcuota_busy)
    foreach(name IN LISTS ARGN)
        target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-O1>)
    endforeach()
endfunction()

# mcuota_library(NAME SOURCES a.cpp... [LIBS x...])
function(mcuota_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    mcuota_target(${name})
    target_link_libraries(${name} PUBLIC ${ARG_LIBS})
endfunction()

# mcuota_program(NAME SOURCES main.cpp... [LIBS x...])
function(mcuota_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    mcuota_target(${name})
    target_link_libraries(${name} PRIVATE ${ARG_LIBS})
endfunction()
