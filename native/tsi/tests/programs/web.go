// A static program that makes its system calls itself: web serve ADDRESS, or web get URL.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	answer, err := http.Get(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		os.Exit(1)
	}
}

func serve(address string) {
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		local := request.Context().Value(http.LocalAddrContextKey).(net.Addr)
		caller, _, _ := net.SplitHostPort(request.RemoteAddr)
		fmt.Fprintf(writer, "%s to %s\n", caller, local)
	})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
	os.Exit(1)
}
