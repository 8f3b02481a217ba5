{{ roll_up_daily('week') }}
