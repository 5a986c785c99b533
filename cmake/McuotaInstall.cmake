# Where programs and files go on a gateway or a developer's machine; debian/*.install splits the result into packages.
include(GNUInstallDirs)
set(MCUOTA_LIBEXECDIR ${CMAKE_INSTALL_LIBEXECDIR}/mcuota)

install(TARGETS mcuota mcuota-pack mcuota-flash RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS mcuotad RUNTIME DESTINATION ${MCUOTA_LIBEXECDIR})
if(MCUOTA_BOARD)
    install(TARGETS mcuota-board RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
