module coxswain/loadgen
go 1.25
