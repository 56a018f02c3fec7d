# A private copy of libbpf: all of it in one object file, of which only what libbpf_names.txt lists can be seen, under
# another name, and whose bpf(2) calls, closing of descriptors and looks at files come to libbpf_calls.cc.
find_library(PORTOLAN_LIBBPF_ARCHIVE NAMES libbpf.a REQUIRED DOC "the static libbpf")
find_library(PORTOLAN_LIBELF NAMES elf REQUIRED)
find_library(PORTOLAN_LIBZ NAMES z REQUIRED)

set(directory ${CMAKE_CURRENT_BINARY_DIR}/loader)
set(PORTOLAN_LIBBPF_PRIVATE ${directory}/libbpf_private.o)
set(list ${CMAKE_CURRENT_LIST_DIR}/libbpf_names.txt)
file(STRINGS ${list} names)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
set(header "")
set(renamed "")
foreach(name syscall close stderr fopen fopen64 open open64 access faccessat)
  string(APPEND renamed "${name} portolan_loader_${name}\n")
endforeach()
set(kept "")
foreach(name ${names})
  string(APPEND header "#define ${name} portolan_private_${name}\n")
  string(APPEND renamed "${name} portolan_private_${name}\n")
  string(APPEND kept "portolan_private_${name}\n")
endforeach()
file(CONFIGURE OUTPUT ${directory}/libbpf_names.h CONTENT "${header}" @ONLY)
file(CONFIGURE OUTPUT ${directory}/renamed.txt CONTENT "${renamed}" @ONLY)
file(CONFIGURE OUTPUT ${directory}/kept.txt CONTENT "${kept}" @ONLY)
add_custom_command(OUTPUT ${PORTOLAN_LIBBPF_PRIVATE}
  COMMAND ${CMAKE_LINKER} -r --whole-archive ${PORTOLAN_LIBBPF_ARCHIVE} -o ${PORTOLAN_LIBBPF_PRIVATE}.all
  COMMAND ${CMAKE_OBJCOPY} --redefine-syms=${directory}/renamed.txt ${PORTOLAN_LIBBPF_PRIVATE}.all
  COMMAND ${CMAKE_OBJCOPY} --keep-global-symbols=${directory}/kept.txt ${PORTOLAN_LIBBPF_PRIVATE}.all ${PORTOLAN_LIBBPF_PRIVATE}
  DEPENDS ${PORTOLAN_LIBBPF_ARCHIVE} ${list} ${CMAKE_CURRENT_LIST_FILE} VERBATIM)

target_sources(portolan_loader PRIVATE ${PORTOLAN_LIBBPF_PRIVATE})
set_source_files_properties(${PORTOLAN_LIBBPF_PRIVATE} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
target_include_directories(portolan_loader PRIVATE ${directory})
target_link_libraries(portolan_loader PUBLIC ${PORTOLAN_LIBELF} ${PORTOLAN_LIBZ})
