from threading import local as local
