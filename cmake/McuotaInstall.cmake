# Where programs and files go on a gateway or a developer's machine; debian/*.install splits the result into packages.
include(GNUInstallDirs)
set(MCUOTA_LIBEXECDIR ${CMAKE_INSTALL_LIBEXECDIR}/mcuota)

install(TARGETS mcuota mcuota-pack mcuota-flash RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS mcuotad RUNTIME DESTINATION ${MCUOTA_LIBEXECDIR})
install(FILES daemon/cli/mcuota.1 mcu_flasher/cli/mcuota-flash.1 mcu_flasher/package/mcuota-pack.1
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES daemon/mcuotad.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES mcu_flasher/cli/completions/mcuota-flash.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME mcuota-flash)
install(FILES mcu_flasher/cli/completions/_mcuota-flash DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES daemon/cli/completions/mcuota.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME mcuota)
install(FILES mcu_flasher/package/cli/completions/mcuota-pack.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME mcuota-pack)
install(FILES daemon/cli/completions/_mcuota mcu_flasher/package/cli/completions/_mcuota-pack DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES config/mcuota.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/mcuota)

install(FILES systemd/mcuota.modules-load.conf DESTINATION lib/modules-load.d RENAME mcuota.conf)
if(MCUOTA_BOARD)
    install(TARGETS mcuota-board RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES virtual_board/mcuota-board.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES virtual_board/completions/mcuota-board.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME mcuota-board)
    install(FILES virtual_board/completions/_mcuota-board DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
endif()
if(TARGET firmware)
    # What mcuota-pack prove proves with; its key table is replaced for each proof.
    install(FILES ${MCUOTA_FIRMWARE_DIR}/loader.elf DESTINATION ${CMAKE_INSTALL_DATADIR}/mcuota)
endif()
