# nnc.mk: rules by which GNU make makes C of networks, net.c and net.h of net.nn.
#
#     include nnc.mk
#     LDLIBS += $(NNC_LIBS)
#     train: train.o net.o
#     train.o: net.h
#
# NNC is the program, NNCFLAGS are its options, also for one network: `net.c: NNCFLAGS = --inference`. A network is
# made anew when a file that it includes has changed. GNU make looks for this file in /usr/local/include and
# /usr/include by itself, elsewhere with -I.
NNC ?= nnc
NNCFLAGS ?=
NNC_LIBS = -lnn -lm
NNC_KIT_LIBS = -lnnkit -lnn -lpng -ljpeg -lz -lm -lpthread

%.c %.h: %.nn
	$(NNC) $(NNCFLAGS) -MD -o $*.c $<

# No dependency becomes the goal of `make` alone.
nnc-goal := $(.DEFAULT_GOAL)
-include $(wildcard *.nn.d */*.nn.d)
.DEFAULT_GOAL := $(nnc-goal)
