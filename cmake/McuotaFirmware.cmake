# The cross build (loader, agent, demo applications) as a part of the host build: results in <build>/firmware.
find_program(ARM_GXX arm-none-eabi-g++)
if(NOT ARM_GXX)
    message(WARNING "arm-none-eabi-g++ is missing: no firmware, no tests on the virtual board")
    return()
endif()
set(MCUOTA_LOADER_PUBKEY "" CACHE FILEPATH "public key (PEM) that signs packages; empty: development keys are made")
set(MCUOTA_LOADER_NEXT_PUBKEY "" CACHE FILEPATH "public key (PEM) that may take its place by a rotation record")
set(MCUOTA_FIRMWARE_DIR ${CMAKE_BINARY_DIR}/firmware)
include(ExternalProject)
ExternalProject_Add(firmware
    SOURCE_DIR ${PROJECT_SOURCE_DIR}
    BINARY_DIR ${CMAKE_BINARY_DIR}/firmware-build
    PREFIX ${CMAKE_BINARY_DIR}/firmware-prefix
    CMAKE_GENERATOR Ninja
    CMAKE_ARGS
        -DCMAKE_TOOLCHAIN_FILE=${PROJECT_SOURCE_DIR}/cmake/toolchain-arm-none-eabi.cmake
        -DCMAKE_BUILD_TYPE=MinSizeRel
        -DMCUOTA_SOURCES_DIR=${MCUOTA_SOURCES_DIR}
        -DMCUOTA_FIRMWARE_OUT=${MCUOTA_FIRMWARE_DIR}
        -DMCUOTA_LOADER_PUBKEY=${MCUOTA_LOADER_PUBKEY}
        -DMCUOTA_LOADER_NEXT_PUBKEY=${MCUOTA_LOADER_NEXT_PUBKEY}
    BUILD_ALWAYS ON
    USES_TERMINAL_BUILD ON
    INSTALL_COMMAND "")
