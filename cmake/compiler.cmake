add_library(liftlock_flags INTERFACE)
target_include_directories(liftlock_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(liftlock_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wconversion
  -Wno-sign-conversion -Wno-missing-field-initializers
  -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 reports operator+ of std::string as overlapping copies once it optimises (GCC bug 105651).
  target_compile_options(liftlock_flags INTERFACE -Wno-restrict)
endif()
if(LIFTLOCK_WERROR)
  target_compile_options(liftlock_flags INTERFACE -Werror)
endif()
target_compile_definitions(liftlock_flags INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_VISIBILITY _FILE_OFFSET_BITS=64
  LIFTLOCK_VERSION="${PROJECT_VERSION}")
target_link_libraries(liftlock_flags INTERFACE fmt::fmt Threads::Threads)

if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  if(NOT LIFTLOCK_SANITIZE AND NOT LIFTLOCK_FUZZ)
    target_compile_options(liftlock_flags INTERFACE -D_FORTIFY_SOURCE=2)
    target_link_options(liftlock_flags INTERFACE -Wl,-z,relro,-z,now)
  endif()
endif()

set(LIFTLOCK_UNIT_SECONDS 300)
if(LIFTLOCK_SANITIZE)
  set(LIFTLOCK_UNIT_SECONDS 1200)
  target_compile_options(liftlock_flags INTERFACE -fsanitize=${LIFTLOCK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(liftlock_flags INTERFACE -fsanitize=${LIFTLOCK_SANITIZE})
  # gcc's middle end reports false positives of these two once it instruments code.
  target_compile_options(liftlock_flags INTERFACE -Wno-maybe-uninitialized -Wno-tsan)
endif()
if(LIFTLOCK_FUZZ)
  target_compile_options(liftlock_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  target_link_options(liftlock_flags INTERFACE -fsanitize=address,undefined)
endif()

# For code that waits for others to do the work (commands, tests): translates in half the time.
add_library(liftlock_light INTERFACE)
target_compile_options(liftlock_light INTERFACE $<$<CONFIG:Release>:-O1>)

find_program(CCACHE ccache)
if(CCACHE)
  # The base folder makes equal sources in two checkouts one cache entry.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
