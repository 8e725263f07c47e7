# Runs PROGRAM on a fresh DATABASE and compares its output with the file EXPECTED.
file(REMOVE_RECURSE ${DATABASE})
execute_process(COMMAND ${PROGRAM} ${DATABASE} OUTPUT_VARIABLE output RESULT_VARIABLE code)
file(REMOVE_RECURSE ${DATABASE})
file(READ ${EXPECTED} expected)
if(NOT code EQUAL 0 OR NOT output STREQUAL expected)
  message(FATAL_ERROR "exit code ${code}; printed:\n${output}\nexpected:\n${expected}")
endif()
