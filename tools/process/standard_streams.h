// The standard streams of a program: ensures that they exist at its start, and checks them at its
// end.
#ifndef CAMBIUM_TOOLS_PROCESS_STANDARD_STREAMS_H_
#define CAMBIUM_TOOLS_PROCESS_STANDARD_STREAMS_H_

namespace cambium::process {

// Opens, for each of the descriptors 0, 1, and 2 that is closed, a file on which reads and writes
// fail with EBADF. Otherwise the next file that is opened gets that number, and printed text would
// be written to a file of the database. Call it before anything opens a file.
void ReserveStandardStreams();

// Flushes standard output. Returns 0 if everything that was printed has been written, and otherwise
// the errno of the failure (EIO if a failure before this call is all that is known).
int FlushStandardOutput();

}  // namespace cambium::process

#endif  // CAMBIUM_TOOLS_PROCESS_STANDARD_STREAMS_H_
