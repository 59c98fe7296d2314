#ifndef TWINPOST_CSQLITE_H
#define TWINPOST_CSQLITE_H
#include <sqlite3.h>
#endif
