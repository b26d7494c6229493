// The program of the test pods: it serves its name, or fetches, or resolves, as its arguments say.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const patience = 2 * time.Second

func main() {
	if len(os.Args) != 3 {
		fail("usage: probe serve ADDRESS | get URL | resolve NAME")
	}
	switch argument := os.Args[2]; os.Args[1] {
	case "serve":
		serve(argument)
	case "get":
		get(argument)
	case "resolve":
		resolve(argument)
	default:
		fail("there is no command " + os.Args[1])
	}
}

// serve answers every request with the pod's name until it is told to end.
func serve(address string) {
	name, err := os.Hostname()
	check(err)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		os.Exit(0)
	}()
	fmt.Println("serving at", address)
	handler := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, name) }
	check(http.ListenAndServe(address, http.HandlerFunc(handler)))
}

// get prints what a URL answers.
func get(url string) {
	client := http.Client{Timeout: patience}
	response, err := client.Get(url)
	check(err)
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	check(err)
}

// resolve prints the addresses of a name.
func resolve(name string) {
	addresses, err := net.LookupHost(name)
	check(err)
	fmt.Println(strings.Join(addresses, "\n"))
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
