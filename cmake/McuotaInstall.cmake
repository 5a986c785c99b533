# Where programs and files go on a gateway or a developer's machine; debian/*.install splits the result into packages.
include(GNUInstallDirs)
set(MCUOTA_LIBEXECDIR ${CMAKE_INSTALL_LIBEXECDIR}/mcuota)

foreach(program mcuota mcuota-pack mcuota-flash mcuota-board)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
endforeach()
if(TARGET mcuotad)
    install(TARGETS mcuotad RUNTIME DESTINATION ${MCUOTA_LIBEXECDIR})
endif()
