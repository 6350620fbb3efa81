package main
import _ "parley/gen/client"
func main() {}
