# nnc-config.cmake: networks in a CMake project.
#
#     find_package(nnc REQUIRED)
#     add_executable(train train.c)
#     nnc_add_network(train net.nn)
#
# nnc_add_network(TARGET FILE.nn... [OPTIONS option...]) makes FILE.c and FILE.h of each network, in the folder of the
# build, and adds them to the target, with the runtime. The target sees the headers. Where there is no such target,
# it becomes a static library, which others may link. The options are nnc's, such as --inference. What a network
# includes makes it anew, too (with Makefiles: from CMake 3.20 on).
#
# nnc::nn is the runtime, nnc::nnkit what a network with --main needs, NNC_EXECUTABLE the program.
cmake_policy(PUSH)
cmake_policy(VERSION 3.13...3.25)

# This file lies in PREFIX/lib/cmake/nnc, or in PREFIX/lib/x86_64-linux-gnu/cmake/nnc.
get_filename_component(_nnc_lib "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
get_filename_component(_nnc_prefix "${_nnc_lib}" DIRECTORY)
if(NOT EXISTS "${_nnc_prefix}/include/nn.h")
    get_filename_component(_nnc_prefix "${_nnc_prefix}" DIRECTORY)
endif()
find_program(NNC_EXECUTABLE nnc HINTS "${_nnc_prefix}/bin" DOC "the compiler of networks")
if(NOT NNC_EXECUTABLE)
    set(nnc_FOUND FALSE)
    set(nnc_NOT_FOUND_MESSAGE "there is no program nnc; set NNC_EXECUTABLE")
endif()

if(NOT TARGET nnc::nn)
    add_library(nnc::nn STATIC IMPORTED)
    set_target_properties(nnc::nn PROPERTIES
        IMPORTED_LOCATION "${_nnc_lib}/libnn.a"
        INTERFACE_INCLUDE_DIRECTORIES "${_nnc_prefix}/include"
        INTERFACE_LINK_LIBRARIES m)
endif()
if(NOT TARGET nnc::nnkit AND EXISTS "${_nnc_lib}/libnnkit.a")
    add_library(nnc::nnkit STATIC IMPORTED)
    set_target_properties(nnc::nnkit PROPERTIES
        IMPORTED_LOCATION "${_nnc_lib}/libnnkit.a"
        INTERFACE_INCLUDE_DIRECTORIES "${_nnc_prefix}/include"
        INTERFACE_LINK_LIBRARIES "nnc::nn;png;jpeg;z;m;pthread")
endif()

function(nnc_add_network target)
    cmake_parse_arguments(PARSE_ARGV 1 NNC "" "" OPTIONS)
    if(NOT NNC_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "nnc_add_network(${target}): name a network, FILE.nn")
    endif()
    if(NOT TARGET ${target})
        add_library(${target} STATIC)
    endif()
    foreach(network IN LISTS NNC_UNPARSED_ARGUMENTS)
        get_filename_component(input "${network}" ABSOLUTE)
        get_filename_component(name "${network}" NAME_WE)
        set(output "${CMAKE_CURRENT_BINARY_DIR}/${name}")
        set(depfile)
        if(CMAKE_GENERATOR MATCHES Ninja OR NOT CMAKE_VERSION VERSION_LESS 3.20)
            set(depfile DEPFILE "${output}.nn.d")
        endif()
        add_custom_command(OUTPUT "${output}.c" "${output}.h"
            COMMAND "${NNC_EXECUTABLE}" ${NNC_OPTIONS} -MD -o "${output}.c" "${input}"
            DEPENDS "${input}" "${NNC_EXECUTABLE}" ${depfile} VERBATIM)
        target_sources(${target} PRIVATE "${output}.c" "${output}.h")
    endforeach()
    target_include_directories(${target} PUBLIC "${CMAKE_CURRENT_BINARY_DIR}")
    if("--main" IN_LIST NNC_OPTIONS)
        target_link_libraries(${target} PUBLIC nnc::nnkit)
    endif()
    target_link_libraries(${target} PUBLIC nnc::nn)
endfunction()

cmake_policy(POP)
