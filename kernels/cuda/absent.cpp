namespace temper {}
