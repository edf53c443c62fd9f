print("pollhold")
