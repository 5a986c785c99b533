# Library sources compiled into the loader and, unchanged, into the host programs:
#   bearssl   SHA-256, ECDSA P-256, RSA-2048 verification without heap (Debian source package, scripts/fetch-sources)
#   lzmadec   the LZMA decoder of the LZMA SDK (Debian package lzma-dev, only LzmaDec.c, LzmaDec.h, Types.h)
set(MCUOTA_SOURCES_DIR ${CMAKE_BINARY_DIR}/third_party CACHE PATH "where scripts/fetch-sources puts library sources")
execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/fetch-sources ${MCUOTA_SOURCES_DIR} RESULT_VARIABLE fetched)
if(NOT fetched EQUAL 0)
    message(FATAL_ERROR "scripts/fetch-sources failed: the loader's crypto sources are missing")
endif()

set(b ${MCUOTA_SOURCES_DIR}/bearssl)
add_library(bearssl STATIC
    ${b}/src/hash/sha2small.c ${b}/src/hash/dig_oid.c ${b}/src/hash/dig_size.c
    ${b}/src/codec/enc32be.c ${b}/src/codec/dec32be.c ${b}/src/codec/ccopy.c ${b}/src/codec/enc64be.c
    ${b}/src/ec/ec_p256_m31.c ${b}/src/ec/ec_secp256r1.c ${b}/src/ec/ec_secp384r1.c ${b}/src/ec/ec_secp521r1.c
    ${b}/src/ec/ecdsa_i31_vrfy_raw.c ${b}/src/ec/ecdsa_i31_bits.c
    ${b}/src/rsa/rsa_i31_pub.c)
file(GLOB bearssl_int CONFIGURE_DEPENDS ${b}/src/int/i31_*.c ${b}/src/int/i32_div32.c)
target_sources(bearssl PRIVATE ${bearssl_int})
target_include_directories(bearssl SYSTEM PUBLIC ${b}/inc PRIVATE ${b}/src)
target_compile_definitions(bearssl PRIVATE BR_USE_UNIX_TIME=0 BR_USE_URANDOM=0 BR_RDRAND=0)
target_compile_options(bearssl PRIVATE -w)

# Only three files: the host's include directory must never reach the cross compiler.
set(lzmadec_dir ${MCUOTA_SOURCES_DIR}/lzmadec)
foreach(file LzmaDec.c LzmaDec.h Types.h)
    configure_file(/usr/include/lzma/${file} ${lzmadec_dir}/${file} COPYONLY)
endforeach()
add_library(lzmadec STATIC ${lzmadec_dir}/LzmaDec.c)
target_include_directories(lzmadec SYSTEM PUBLIC ${lzmadec_dir})
target_compile_options(lzmadec PRIVATE -w)
mcuota_busy(bearssl lzmadec)
