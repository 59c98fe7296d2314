#ifndef TWINPOST_CIDN2_H
#define TWINPOST_CIDN2_H
#include <idn2.h>
#endif
