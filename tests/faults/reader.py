#!/usr/bin/python3
"""A stranger in a zone's LMDB: opens FOLDER and keeps COUNT read transactions open until it is ended. Says "holding"."""
import ctypes
import ctypes.util
import sys
import time

RDONLY, NOTLS = 0x20000, 0x200000

lmdb = ctypes.CDLL(ctypes.util.find_library("lmdb") or "liblmdb.so.0")


def must(rc, what):
    if rc != 0:
        lmdb.mdb_strerror.restype = ctypes.c_char_p
        sys.exit("%s: %s" % (what, lmdb.mdb_strerror(rc).decode()))


def main():
    folder, count = sys.argv[1], int(sys.argv[2])
    env = ctypes.c_void_p()
    must(lmdb.mdb_env_create(ctypes.byref(env)), "create")
    must(lmdb.mdb_env_set_maxreaders(env, 256), "readers")
    must(lmdb.mdb_env_open(env, folder.encode(), RDONLY | NOTLS, 0o600), "open")
    held = []
    for i in range(count):
        txn = ctypes.c_void_p()
        rc = lmdb.mdb_txn_begin(env, None, RDONLY, ctypes.byref(txn))
        if rc != 0 and i > 0:
            break  # all slots are taken: that is what it is for
        must(rc, "begin")
        held.append(txn)
    print("holding", len(held), flush=True)
    while True:
        time.sleep(3600)


main()
