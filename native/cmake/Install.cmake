# `cmake --install` gives find_package(f2i) with f2i::f2i (shared) and f2i::core
# (static).

include(CMakePackageConfigHelpers)

install(TARGETS f2i_core EXPORT f2iTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(F2I_BUILD_SHARED)
  install(TARGETS f2i EXPORT f2iTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET f2i_bench)
  install(TARGETS f2i_bench RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(F2I_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/f2i)
install(EXPORT f2iTargets NAMESPACE f2i:: DESTINATION ${F2I_PACKAGE})
configure_package_config_file(cmake/f2iConfig.cmake.in ${PROJECT_BINARY_DIR}/f2iConfig.cmake
  INSTALL_DESTINATION ${F2I_PACKAGE})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/f2iConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/f2iConfig.cmake ${PROJECT_BINARY_DIR}/f2iConfigVersion.cmake
  DESTINATION ${F2I_PACKAGE})
