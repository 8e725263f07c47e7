// The symbols that the shared library exports.
//
// The library is compiled with hidden symbols: CAMBIUM_EXPORT marks each public class and function,
// CAMBIUM_LOCAL a class nested in a public one that is not public itself. Neither means anything to
// a user of the static library.
#ifndef CAMBIUM_EXPORT_H_
#define CAMBIUM_EXPORT_H_

#define CAMBIUM_EXPORT __attribute__((visibility("default")))
#define CAMBIUM_LOCAL __attribute__((visibility("hidden")))

#endif  // CAMBIUM_EXPORT_H_
