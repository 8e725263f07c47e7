// Fails its assert, if asserts are compiled at all.
#include <cassert>

int main(int argc, char**) { assert(argc == 0); }
