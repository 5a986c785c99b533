# firmware_image(NAME SCRIPT loader.ld|application.ld SOURCES a.cpp... LIBS x... [DEFINES D...] [FLASH_MAX N] [RAM_MAX N]):
# links one program for the board and leaves NAME.elf, NAME.bin, NAME.map and NAME.size in MCUOTA_FIRMWARE_OUT. The
# build fails when it is larger than it may be, or when heap or exceptions have crept in.
set(stm32f429_dir ${CMAKE_CURRENT_LIST_DIR}/port/stm32f429)

function(firmware_image name)
    cmake_parse_arguments(ARG "" "SCRIPT;FLASH_MAX;RAM_MAX" "SOURCES;LIBS;DEFINES" ${ARGN})
    add_executable(${name} ${ARG_SOURCES} ${stm32f429_dir}/startup.cpp ${stm32f429_dir}/stack.cpp)
    mcuota_target(${name})
    target_compile_definitions(${name} PRIVATE ${ARG_DEFINES})
    target_link_libraries(${name} PRIVATE ${ARG_LIBS})
    target_link_options(${name} PRIVATE -T${stm32f429_dir}/${ARG_SCRIPT} -L${stm32f429_dir}
        -Wl,-Map=${MCUOTA_FIRMWARE_OUT}/${name}.map -Wl,--fatal-warnings -Wl,--no-warn-rwx-segments)
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${MCUOTA_FIRMWARE_OUT}
        LINK_DEPENDS "${stm32f429_dir}/${ARG_SCRIPT};${stm32f429_dir}/sections.ld")
    add_custom_command(TARGET ${name} POST_BUILD
        COMMAND ${CMAKE_OBJCOPY} -O binary $<TARGET_FILE:${name}> ${MCUOTA_FIRMWARE_OUT}/${name}.bin
        COMMAND ${stm32f429_dir}/../check_image.sh $<TARGET_FILE:${name}> ${MCUOTA_FIRMWARE_OUT}/${name}.size
                ${ARG_FLASH_MAX} ${ARG_RAM_MAX}
        BYPRODUCTS ${MCUOTA_FIRMWARE_OUT}/${name}.bin ${MCUOTA_FIRMWARE_OUT}/${name}.size
                   ${MCUOTA_FIRMWARE_OUT}/${name}.map
        VERBATIM)
endfunction()
