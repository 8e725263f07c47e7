// CAMBIUM_EXPORT: what the shared library shows to its users.
//
// The library is compiled with hidden symbols; each public class and function carries this mark. It
// means nothing to a user of the static library.
#ifndef CAMBIUM_EXPORT_H_
#define CAMBIUM_EXPORT_H_

#define CAMBIUM_EXPORT __attribute__((visibility("default")))

#endif  // CAMBIUM_EXPORT_H_
