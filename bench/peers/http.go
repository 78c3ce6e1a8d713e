// net/http as programs use it: `go-http hello|file [CERTIFICATE]`, as bench/bine/http.c.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("Hello, world!"))
	})
	if len(os.Args) > 1 && os.Args[1] == "file" {
		handler = http.FileServer(http.Dir(os.Getenv("BENCH_FILES")))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: handler}
	if len(os.Args) > 2 {
		panic(server.ServeTLS(listener, os.Args[2], os.Args[2]))
	}
	panic(server.Serve(listener))
}
